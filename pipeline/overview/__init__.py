"""What runs there are, and what one of them is: for people who look for one."""
