-- admin.backtest_leads - lists the leads that are won or lost, for leads scoring backtest.
set local role leads_jobs;

create or replace function admin.backtest_leads(organization_id uuid)
returns table (lead_id uuid, is_qualified boolean)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform admin.organization(backtest_leads.organization_id);
  return query
  select l.id, l.qualification_completed_at is not null
  from app.lead as l
  where l.organization_id = backtest_leads.organization_id and l.pipeline_stage in ('won', 'lost');
end $$;

comment on function admin.backtest_leads(uuid) is
  'The leads that are won or lost, and whether each was ever qualified. Raises PT404 organization_not_found.';

grant execute on function admin.backtest_leads(uuid) to leads_operator;
