-- admin.create_analyst - leads bi create LOGIN.
set local role leads_jobs;

create or replace function admin.create_analyst(
  login text,
  organization_id uuid,
  verifier text,
  expires_at timestamptz default null
)
returns void language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_setting text;
begin
  if create_analyst.login collate "C" !~ '^[a-z_][a-z0-9_]{0,62}$' or create_analyst.login ~ '^(pg_|leads_)' then
    raise sqlstate 'PT422' using message = 'invalid_login', hint =
      'A login is 1 to 63 characters: a-z, 0-9 and _, no digit first, and neither pg_ nor leads_ in front. Every login of '
      'the cluster can see the name: keep customers'' names out of it.';
  end if;
  if create_analyst.verifier is null or create_analyst.verifier !~ '^SCRAM-SHA-256\$' then
    raise sqlstate 'PT422' using message = 'invalid_verifier', hint =
      'The verifier must be one of SCRAM-SHA-256 (RFC 5803): a password never comes here.';
  end if;
  if create_analyst.expires_at <= now() then
    raise sqlstate 'PT422' using
      message = 'expired', hint = 'The login would have expired already: give a later time.';
  end if;
  if exists (select from pg_catalog.pg_roles as r where r.rolname = create_analyst.login) then
    raise sqlstate 'PT409' using message = 'login_exists', hint = format(
      'There is a login "%s" already. Choose another name, or say first: leads bi revoke %s',
      create_analyst.login, create_analyst.login
    );
  end if;

  execute format(
    'create role %I login nosuperuser nocreatedb nocreaterole noreplication inherit connection limit 5 password %L '
    'valid until %L',
    create_analyst.login, create_analyst.verifier, coalesce(create_analyst.expires_at::text, 'infinity')
  );
  -- What a session begins with; the analyst may set it otherwise, and sees no more by it.
  foreach v_setting in array array[
    'search_path = bi',
    'timezone = ''UTC''',
    'default_transaction_read_only = on',
    'statement_timeout = ''60s''',
    'lock_timeout = ''5s''',
    -- A transaction that is left open keeps VACUUM from all that was deleted since.
    'idle_in_transaction_session_timeout = ''60s''',
    'idle_session_timeout = ''8h'''
  ]
  loop
    execute format('alter role %I set %s', create_analyst.login, v_setting);
  end loop;
  perform admin.bind_analyst(create_analyst.login, create_analyst.organization_id, create_analyst.expires_at);
  -- PostgreSQL 15 knows no SET FALSE: there the policy alone holds, which asks for session_user.
  execute format(
    'grant leads_bi to %I%s',
    create_analyst.login,
    case when current_setting('server_version_num')::integer >= 160000 then ' with inherit true, set false' end
  );
end $$;

comment on function admin.create_analyst(text, uuid, text, timestamptz) is
$$Makes a login that reads schema bi, of one organization alone. For the migrating login, which has CREATEROLE.

login: 1 to 63 characters out of a-z, 0-9 and _. verifier: the password's SCRAM-SHA-256 verifier (RFC 5803). expires_at: from
then on the login can't log in and sees no row; null: never. Raises PT404 organization_not_found, PT409 login_exists, PT422
invalid_login, invalid_verifier, expired; 42501 where the caller lacks CREATEROLE, or ADMIN OPTION on leads_bi.$$;
