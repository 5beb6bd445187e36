"""What methods and settings reach on images whose truth is known."""
