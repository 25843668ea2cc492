-- auth.enter - the first thing in every request's statement: proves the claim and sets the context.
set local role leads_auth;

create or replace function auth.enter(key_digest text, request_id text, scope text, read_only boolean)
returns void
language plpgsql
volatile
parallel unsafe
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_scopes text[];
begin
  perform set_config('leads.request_id', enter.request_id, true);
  perform set_config('leads.key_digest', coalesce(enter.key_digest, ''), true);
  if enter.read_only then
    perform set_config('transaction_read_only', 'on', true);
  end if;
  if enter.scope is null then
    return;
  end if;

  select k.scopes into v_scopes from auth.claimed_key as k;
  if not found then
    raise sqlstate 'PT401' using message = 'unauthorized';
  end if;
  if not enter.scope = any (v_scopes) then
    raise sqlstate 'PT403' using
      message = 'insufficient_scope',
      hint = format('This key lacks the scope "%s". Use a key that has it.', enter.scope);
  end if;
end
$$;

comment on function auth.enter(text, text, text, boolean) is
$$Proves who is asking and sets the request's context, for the transaction.

key_digest: SHA-256 of the key, 64 hexadecimal digits; null: no key. request_id: the X-Request-Id, up to 64 characters.
scope: what the route asks for; null: a public route, no key is needed. read_only: whether the transaction may write.
Raises PT401 unauthorized (no key, unknown, expired or revoked) and PT403 insufficient_scope.$$;

grant execute on function auth.enter(text, text, text, boolean) to leads_api;
