-- auth.enter - begins a request: checks the key and sets the context. Every statement calls it.
set local role leads_auth;

create or replace function auth.enter(key_digest text, request_id text, scope text, read_only boolean)
returns void language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_scopes text[];
  v_setting text;
begin
  -- One assignment, because each expression is prepared again in each transaction.
  v_setting := concat(
    set_config('leads.request_id', enter.request_id, true),
    set_config('leads.key_digest', coalesce(enter.key_digest, ''), true),
    case when enter.read_only then set_config('transaction_read_only', 'on', true) end
  );
  if enter.scope is null then
    return;
  end if;

  select
    -- A replica refuses before the primary does, so that none answers after the fence because it has not replayed it.
    case when k.is_fenced or k.is_draining and pg_is_in_recovery() then '{}' else k.scopes end,
    set_config('leads.organization_id', k.organization_id::text, true)
  into v_scopes, v_setting
  from auth.claimed_key as k;
  if not found then
    raise sqlstate 'PT401' using message = 'unauthorized';
  end if;
  if not enter.scope = any (v_scopes) then
    if v_scopes = '{}' then
      raise sqlstate 'PT503' using message = 'moving';
    end if;
    raise sqlstate 'PT403' using
      message = 'insufficient_scope',
      hint = format('This key lacks the scope "%s". Use a key that has it.', enter.scope);
  end if;
end $$;

comment on function auth.enter(text, text, text, boolean) is
$$Checks the caller's key and sets the context of the request, until the transaction ends.

key_digest: SHA-256 of the key, 64 hexadecimal digits; null if there is no key. request_id: the X-Request-Id, up to 64
characters; if the request has a trace id, a space and the trace id follow. scope: the scope that the route requires; null for a
public route, which needs no key. read_only: true makes the transaction read-only.
Raises PT401 unauthorized (no key, or an unknown, expired or revoked one), PT403 insufficient_scope, and PT503 moving while the
key's organization is moved to another cell; on a replica, from admin.drain on.$$;

grant execute on function auth.enter(text, text, text, boolean) to leads_api;
