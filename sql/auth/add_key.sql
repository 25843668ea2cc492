-- auth.add_key - stores the digest of a new API key.
set local role leads_auth;

create or replace function auth.add_key(organization_id uuid, scope text, digest bytea, name text, expires_at timestamptz)
returns uuid language sql volatile security invoker
begin atomic
  insert into auth.api_key (organization_id, id, name, scopes, digest, expires_at)
  values (
    add_key.organization_id,
    app.new_id(),
    app.clean_text(add_key.name),
    case add_key.scope
      when 'read' then array['read']
      when 'write' then array['read', 'write']
      when 'admin' then array['read', 'write', 'admin']
    end,
    add_key.digest,
    date_trunc('milliseconds', add_key.expires_at)
  )
  returning id;
end;

comment on function auth.add_key(uuid, text, bytea, text, timestamptz) is
$$Stores a key, and returns its id.

scope: the highest scope: read, write or admin. digest: SHA-256 of the SHA-256 of the key. expires_at: null for never.$$;

grant execute on function auth.add_key(uuid, text, bytea, text, timestamptz) to leads_exec, leads_jobs;
