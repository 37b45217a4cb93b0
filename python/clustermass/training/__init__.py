"""Training of networks: members of one architecture at once, resumable, and the estimators they become."""
