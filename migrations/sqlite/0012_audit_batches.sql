-- A batch of requests leaves a row each in the audit and moves its chain's head once, past all of
-- them: a head moves forward, by one or by more. Rows that are missing in between are found by the
-- walk over the chain, as before.

drop trigger audit_chain_moves;
create trigger audit_chain_moves before update on audit_chain
when new.chain <> old.chain or new.number <> old.number or new.seq <= old.seq
begin select raise(abort, 'illegal move of audit_chain'); end;
