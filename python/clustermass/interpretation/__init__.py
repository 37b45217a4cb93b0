"""What a network that reads maps looks at: gradients, masks, stacks of them by mass."""
