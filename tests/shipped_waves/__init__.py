"""What made the shipped waves of Guizhou and Guiyang: residents, their answers, and what teams deliver, byte for byte."""
