-- auth.claimed_key - the key whose claim this transaction holds, while it is good: one row or none.
set local role leads_auth;

create or replace view auth.claimed_key with (security_invoker = true) as
select
  k.organization_id,
  k.id,
  k.scopes
from auth.api_key as k
where
  k.digest = sha256(decode(nullif(current_setting('leads.key_digest', true), ''), 'hex'))
  and k.revoked_at is null
  and (k.expires_at is null or k.expires_at > now());

comment on view auth.claimed_key is
  'The claim is a proof, not a name: the setting leads.key_digest holds the SHA-256 of a key, in hex, and only who has '
  'the key can say it. What is stored is the SHA-256 of that.';
