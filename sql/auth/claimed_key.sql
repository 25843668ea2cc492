-- auth.claimed_key - the API key that this transaction has proven, if it is valid.
set local role leads_auth;

-- It reads the keys with the rights of leads_auth, so that no other role needs a right on the table.
create or replace view auth.claimed_key with (security_invoker = false) as
select
  k.organization_id,
  k.id,
  k.scopes,
  k.is_fenced,
  k.is_draining
from auth.api_key as k
where
  -- A subselect is computed once per query. Without it, a scan would hash for each row. In a transaction that is not read
  -- committed, a key that is revoked would still be found.
  k.digest = (
    select sha256(decode(nullif(current_setting('leads.key_digest', true), ''), 'hex'))
    where current_setting('transaction_isolation') = 'read committed'
  )
  and k.revoked_at is null
  -- clock_timestamp(), because a key also ends inside a transaction that stays open.
  and (k.expires_at is null or k.expires_at > clock_timestamp());

comment on view auth.claimed_key is
$$The key that the claim of this transaction proves.

The claim is the setting leads.key_digest: the SHA-256 of the key as hexadecimal digits, which only the holder of the key can
compute. The table stores the SHA-256 of the claim, so a value that is read from the table is no claim.$$;

-- The policies for leads_exec read the view, because a call of auth.organization_id costs more. A login must not read it:
-- with a function of its own in a condition, the login would see other keys.
grant select on auth.claimed_key to leads_exec, leads_intake;
