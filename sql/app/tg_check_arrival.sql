-- app.tg_check_arrival - refuses what a subscription of a move brings about any other organization.
set local role leads_owner;

create or replace function app.tg_check_arrival()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := nullif(current_setting('leads.arriving', true), '')::uuid;
  v_backend_type text;
  v_subscription text;
begin
  -- The first row of a transaction.
  if v_organization_id is null then
    select a.backend_type into v_backend_type from pg_catalog.pg_stat_get_activity(pg_backend_pid()) as a;
    -- Null is hidden from the role of a function, which runs in a client's session. That role can't read
    -- pg_stat_subscription.
    if coalesce(v_backend_type, 'client backend') = 'client backend' then
      return coalesce(new, old);
    end if;
    select s.subname into v_subscription from pg_catalog.pg_stat_subscription as s where s.pid = pg_backend_pid();
    -- A subscription that no move has made.
    if v_subscription not like 'leads\_move\_%' then
      return coalesce(new, old);
    end if;
    v_organization_id := (
      select p.organization_id
      from app.placement as p
      where p.organization_id = substring(v_subscription, '^leads_move_([0-9a-f]{32})$')::uuid and p.state = 'arriving'
    );
    if v_organization_id is null then
      raise insufficient_privilege using message = format('Nothing arrives by the subscription %s.', v_subscription);
    end if;
    perform set_config('leads.arriving', v_organization_id::text, true);
  end if;

  if tg_op = 'INSERT' and new.organization_id = v_organization_id then
    return new;
  elsif tg_op = 'UPDATE' and old.organization_id = v_organization_id and new.organization_id = v_organization_id then
    return new;
  elsif tg_op = 'DELETE' and old.organization_id = v_organization_id then
    return old;
  end if;
  -- The log shows the message only, if log_error_verbosity is terse.
  raise insufficient_privilege using message = format(
    'A subscription may only bring rows of the organization %s (leads_move_%s). The other cell has sent: %s of %s.%s, of another one.',
    v_organization_id, translate(v_organization_id::text, '-', ''), tg_op, tg_table_schema, tg_table_name
  );
end $$;

comment on function app.tg_check_arrival() is
$$Trigger: allows a subscription of a move to change rows of the organization that arrives, and no others. Raises 42501.

It fires for replicated changes only. The other cell decides what it sends, so its publication is no limit.$$;
