"""Files and folders on this machine and on object storage."""
