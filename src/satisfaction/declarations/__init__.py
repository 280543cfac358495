"""What people declare: the questionnaire, a wave with its rules and tables of facts, the combined score, a new wave."""
