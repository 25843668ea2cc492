-- admin.change_crm_connection - for leads crm pause, resume and disconnect.
set local role leads_jobs;

create or replace function admin.change_crm_connection(organization_id uuid, change text)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.organization(change_crm_connection.organization_id)).organization_id;
begin
  case change_crm_connection.change
    when 'pause' then
      update crm.connection as c set state = 'paused', fault = null where c.organization_id = v_organization_id;
    when 'resume' then
      update crm.connection as c
      set state = 'active', fault = null, blocked_until = null
      where c.organization_id = v_organization_id;
    when 'disconnect' then
      delete from crm.connection as c where c.organization_id = v_organization_id;
    else
      raise sqlstate 'PT422' using
        message = 'unknown_change', hint = 'The change must be pause, resume or disconnect.';
  end case;
  if not found then
    raise sqlstate 'PT404' using
      message = 'connection_not_found',
      hint = 'The organization has no connection to a CRM. To create one, run: leads crm connect';
  end if;
  if change_crm_connection.change = 'resume' then
    perform crm.push_skipped(v_organization_id);
  end if;
  call app.notify('leads_work');
end $$;

comment on function admin.change_crm_connection(uuid, text) is
$$Pauses, resumes or removes the organization's connection.

change: "pause": requested pushes wait, and pushes on a change of stage are skipped. "resume": also after the vendor has
rejected the credential; what was skipped for that reason is pushed. "disconnect": deletes the connection with its credential. The syncs stay, and continue if the same
account is connected again. Raises PT404 organization_not_found and connection_not_found, PT422 unknown_change.$$;

grant execute on function admin.change_crm_connection(uuid, text) to leads_operator;
