"""From a network to a denoised image: tiles, test-time augmentation, memory."""
