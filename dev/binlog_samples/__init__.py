"""Records binary log samples of real servers, with what the servers themselves say is in them."""
