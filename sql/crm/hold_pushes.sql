-- crm.hold_pushes - makes this transaction skip the pushes of an organization's leads.
set local role leads_jobs;

create or replace function crm.hold_pushes(organization_id uuid, is_held boolean)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  -- With the transaction's start in microseconds: a setting that someone has left in a shared session holds no push of another transaction.
  perform set_config(
    'leads.held_pushes',
    case when hold_pushes.is_held then concat(hold_pushes.organization_id, '/', extract(epoch from now())) else '' end,
    true
  );
end $$;

comment on function crm.hold_pushes(uuid, boolean) is
  'Until the transaction ends, a lead of the organization that enters the push_stage is not pushed: its push is skipped, with the '
  'error_code bulk. is_held: false ends this.';

grant execute on function crm.hold_pushes(uuid, boolean) to leads_exec, leads_jobs;
