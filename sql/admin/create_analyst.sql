-- admin.create_analyst - creates an analyst's login, for leads bi create LOGIN.
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
      'A login must have 1 to 63 characters from a-z, 0-9 and _. It must not begin with a digit, pg_ or leads_. Choose '
      'another name. Every login of the cluster can see it, so don''t use a customer''s name.';
  end if;
  if create_analyst.verifier is null or create_analyst.verifier !~ '^SCRAM-SHA-256\$' then
    raise sqlstate 'PT422' using message = 'invalid_verifier', hint =
      'The verifier must be a SCRAM-SHA-256 verifier (RFC 5803) and not the password.';
  end if;
  if create_analyst.expires_at <= now() then
    raise sqlstate 'PT422' using
      message = 'expired', hint = 'The time of expiry is in the past.';
  end if;
  if exists (select from pg_catalog.pg_roles as r where r.rolname = create_analyst.login) then
    raise sqlstate 'PT409' using message = 'login_exists', hint = format(
      'The login "%s" already exists. Choose another name. If leads bi list shows it, you can drop it: leads bi revoke %s',
      create_analyst.login, create_analyst.login
    );
  end if;

  execute format(
    'create role %I login nosuperuser nocreatedb nocreaterole noreplication inherit password %L '
    'valid until %L',
    create_analyst.login, create_analyst.verifier, coalesce(create_analyst.expires_at::text, 'infinity')
  );
  -- The defaults of a session. The analyst may change them, which gives access to no more rows.
  foreach v_setting in array array[
    'search_path = bi',
    'timezone = ''UTC''',
    'default_transaction_read_only = on',
    'statement_timeout = ''60s''',
    'lock_timeout = ''5s''',
    -- VACUUM can't remove rows that were deleted after an open transaction began.
    'idle_in_transaction_session_timeout = ''60s''',
    'idle_session_timeout = ''8h'''
  ]
  loop
    execute format('alter role %I set %s', create_analyst.login, v_setting);
  end loop;
  perform admin.limit_analyst(create_analyst.login, 20);
  perform admin.bind_analyst(create_analyst.login, create_analyst.organization_id, create_analyst.expires_at);
  -- PostgreSQL 15 has no SET FALSE. Only the policy protects the rows: it checks session_user.
  execute format(
    'grant leads_bi to %I%s',
    create_analyst.login,
    case when current_setting('server_version_num')::integer >= 160000 then ' with inherit true, set false' end
  );
end $$;

comment on function admin.create_analyst(text, uuid, text, timestamptz) is
$$Creates a login that can read the rows of one organization in schema bi. Only the migrating login can execute it, which has
CREATEROLE.

login: 1 to 63 characters from a-z, 0-9 and _. verifier: the password's SCRAM-SHA-256 verifier (RFC 5803). expires_at: after
this time the login can't log in and sees no row; null for never. Raises PT404 organization_not_found, PT409 login_exists,
PT422 invalid_login, invalid_verifier and expired; 42501 if the caller lacks CREATEROLE, or ADMIN OPTION on leads_bi.$$;
