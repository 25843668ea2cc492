-- webhook.tg_endpoint__queue - queues the events that a webhook has to receive when it is created or enabled.
set local role leads_jobs;

create or replace function webhook.tg_endpoint__queue()
returns trigger language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  -- Events that were sealed before this transaction commits may have been passed over, because nobody saw the webhook.
  insert into webhook.unqueued_batch (organization_id) values (new.organization_id);
  if tg_op = 'UPDATE' then
    perform webhook.hasten(new.organization_id, new.id, date_trunc('milliseconds', clock_timestamp()));
  end if;
  return null;
end $$;

comment on function webhook.tg_endpoint__queue() is
  'Trigger: puts the organization of a new or an enabled webhook into webhook.unqueued_batch, and makes what waits due.';

grant execute on function webhook.tg_endpoint__queue() to leads_owner;
