-- auth.key_id - the id of the key that the request proved, for the audit log.
set local role leads_auth;

create or replace function auth.key_id()
returns uuid language sql stable parallel safe security definer
begin atomic
  -- Not auth.claimed_key: a request that revokes its own key, or lets it expire, is recorded with this key.
  select case when k.is_fenced then auth.refuse_fenced() else k.id end
  from auth.api_key as k
  where
    k.digest = (
      select sha256(decode(nullif(current_setting('leads.key_digest', true), ''), 'hex'))
      where current_setting('transaction_isolation') = 'read committed'
    );
end;

comment on function auth.key_id() is
$$The id of the key that this transaction has proven; null if there is none.

The key may have ended since. The id gives no rights: the policies read auth.claimed_key. Raises PT503 moving if the organization is
fenced, so that no event of a request is written afterwards.$$;

grant execute on function auth.key_id() to leads_audit, leads_intake;
