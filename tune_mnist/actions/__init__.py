"""Actions: what a person can ask for, whoever asks. They print nothing."""
