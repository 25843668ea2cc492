-- admin.connect_crm - creates or replaces a connection to a CRM, for leads crm connect.
set local role leads_jobs;

create or replace function admin.connect_crm(
  organization_id uuid,
  vendor text,
  account text,
  settings jsonb,
  credential bytea default null,
  credential_key text default null,
  push_stage text default null,
  settle_seconds integer default null
)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization app.organization_values := admin.organization(connect_crm.organization_id);
  v_vendor crm.vendor;
begin
  select v.* into v_vendor from crm.vendor as v where v.name = connect_crm.vendor;
  if not found then
    raise sqlstate 'PT404' using message = 'vendor_not_found', hint = format(
      'There is no adapter for "%s". The vendors with an adapter are: %s.', connect_crm.vendor,
      (select string_agg(v.name, ', ' order by v.name) from crm.vendor as v)
    );
  end if;
  if connect_crm.settle_seconds not between 0 and 3600 then
    raise sqlstate 'PT422' using
      message = 'out_of_range', hint = 'settle_seconds must be a whole number from 0 to 3600.';
  end if;
  if (connect_crm.credential is null) <> (v_organization.environment = 'test') then
    raise sqlstate 'PT422' using message = 'invalid_credential', hint = case v_organization.environment
      when 'test' then 'A test organization has no credential, because its pushes are simulated.'
      else 'A connection needs the vendor''s credential.'
    end;
  end if;

  insert into crm.connection as c (
    organization_id, vendor, account, push_stage, settings, settle_seconds, credential, credential_key
  )
  values (
    v_organization.organization_id,
    v_vendor.name,
    connect_crm.account,
    coalesce(connect_crm.push_stage, 'qualified'),
    connect_crm.settings,
    coalesce(connect_crm.settle_seconds, v_vendor.settle_seconds),
    connect_crm.credential,
    connect_crm.credential_key
  )
  on conflict (organization_id) do update
  set
    vendor = excluded.vendor,
    account = excluded.account,
    state = 'active',
    fault = null,
    push_stage = coalesce(connect_crm.push_stage, c.push_stage),
    settings = excluded.settings,
    settle_seconds = case
      when connect_crm.settle_seconds is null and c.vendor = excluded.vendor then c.settle_seconds
      else excluded.settle_seconds
    end,
    revision = c.revision + 1,
    credential = excluded.credential,
    credential_key = excluded.credential_key,
    blocked_until = null,
    paced_until = null;
  perform crm.push_skipped(v_organization.organization_id);
  call app.notify('leads_work');
exception
  when foreign_key_violation then
    raise sqlstate 'PT404' using message = 'stage_not_found', hint = format(
      'The organization has no stage "%s". To list the stages, run: leads organizations stages',
      coalesce(connect_crm.push_stage, 'qualified')
    );
end $$;

comment on function admin.connect_crm(uuid, text, text, jsonb, bytea, text, text, integer) is
$$Creates the organization's connection to a CRM, or replaces it. A paused connection becomes active, and
pushes that were skipped because the worker had paused it start.

account: the account at the vendor. Existing syncs with the same account continue. credential: encrypted; null for a test
organization. credential_key: the id of the key that decrypts it. push_stage, settle_seconds: null keeps the values of the
present connection; for a new one they are "qualified" and the vendor's default. Raises PT404 organization_not_found,
vendor_not_found and stage_not_found, PT422 out_of_range and invalid_credential.$$;

grant execute on function admin.connect_crm(uuid, text, text, jsonb, bytea, text, text, integer) to leads_operator;
