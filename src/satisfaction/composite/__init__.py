"""composite"""
