"""What an audit leaves on disk, and finding it again."""
