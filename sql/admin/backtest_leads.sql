-- admin.backtest_leads - lists the leads that are won or lost, for leads scoring backtest.
set local role leads_jobs;

create or replace function admin.backtest_leads(organization_id uuid)
returns table (lead_id uuid, is_qualified boolean)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_ids uuid[];
  v_are_qualified boolean[];
begin
  perform admin.organization(backtest_leads.organization_id);
  select
    coalesce(array_agg(l.id), '{}'), coalesce(array_agg(l.qualification_completed_at is not null), '{}')
  into v_ids, v_are_qualified
  from app.lead as l
  where l.organization_id = backtest_leads.organization_id and l.pipeline_stage in ('won', 'lost');
  perform audit.record_read(backtest_leads.organization_id, 'admin.backtest_leads', v_ids);
  return query select u.id, u.is_qualified from unnest(v_ids, v_are_qualified) as u (id, is_qualified);
end $$;

comment on function admin.backtest_leads(uuid) is
  'The leads that are won or lost, and whether each was ever qualified. Writes the event lead.read. Raises PT404 '
  'organization_not_found.';

grant execute on function admin.backtest_leads(uuid) to leads_operator;
