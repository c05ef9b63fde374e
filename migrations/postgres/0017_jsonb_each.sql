-- A batch is one JSON parameter that `jsonb_each(text)` takes apart, as SQLite's does by birth: there
-- it hands out each row as it was read, where `json_each` writes it as text again for every field.
-- The elder `json_each(text)` stays for nodes of the version before, which may still be running.
create function jsonb_each(document text) returns table (value jsonb)
language sql immutable parallel safe
as $$ select jsonb_array_elements(cast(document as jsonb)) $$;
