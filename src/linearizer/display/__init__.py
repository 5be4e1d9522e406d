"""What people look at: lines and tables on the console, pictures, and the page of a run."""
