-- Which agent speaks for a cluster, and whether two did.

-- Of the agent that sent the last beat; empty: it did not say.
ALTER TABLE presence ADD COLUMN agent_instance_id TEXT NOT NULL DEFAULT '';

-- When two were last seen that beat in turn; NULL: never.
ALTER TABLE cluster ADD COLUMN clone_suspected_at_us INTEGER;
