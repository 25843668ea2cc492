-- auth.claimed_key - the key whose claim this transaction holds, while it is good: one row or none.
set local role leads_auth;

create or replace view auth.claimed_key with (security_invoker = true) as
select
  k.organization_id,
  k.id,
  k.scopes
from auth.api_key as k
where
  -- A subselect: reckoned once a query, not once a row where the planner reads a small table whole.
  k.digest = (select sha256(decode(nullif(current_setting('leads.key_digest', true), ''), 'hex')))
  and k.revoked_at is null
  -- The clock, and no old snapshot: a transaction that is kept open doesn't keep a key good.
  and (k.expires_at is null or k.expires_at > clock_timestamp())
  and current_setting('transaction_isolation') = 'read committed';

comment on view auth.claimed_key is
  'The claim is a proof, not a name: the setting leads.key_digest holds the SHA-256 of a key, in hex, and only who has '
  'the key can say it. What is stored is the SHA-256 of that.';
