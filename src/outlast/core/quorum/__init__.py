"""Who votes, who may go on, and what is known of the members of the cluster database."""
