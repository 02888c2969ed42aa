"""What an execution says about why it went as it did. Pure, over events: nothing is executed, nothing is asked."""
