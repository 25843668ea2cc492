-- webhook.change_endpoint - changes the settings and the state of a webhook.
set local role leads_owner;

create or replace function webhook.change_endpoint(organization_id uuid, endpoint_id uuid, settings jsonb)
returns void language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := change_endpoint.organization_id;
  v_settings jsonb := change_endpoint.settings;
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
begin
  perform app.raise_faults(422, 'validation_failed', webhook.endpoint_faults(v_settings, false));
  -- Before the webhook is enabled, which makes what waits due.
  if (v_settings ->> 'skip_missed')::boolean then
    update webhook.delivery as d
    set state = 'skipped', next_attempt_at = null, leased_until = null, ended_at = v_now
    where
      d.organization_id = v_organization_id and d.endpoint_id = change_endpoint.endpoint_id
      and d.state = 'pending' and d.position is not null;
    update webhook.endpoint as p
    set position = webhook.last_position(v_organization_id)
    where p.organization_id = v_organization_id and p.id = change_endpoint.endpoint_id;
  end if;
  update webhook.endpoint as p
  set
    url = n.url,
    name = n.name,
    actions = n.actions,
    include = n.include,
    state = n.state,
    disabled_reason = case when n.state = 'disabled' then coalesce(p.disabled_reason, 'request') end,
    disabled_at = case when n.state = 'disabled' then coalesce(p.disabled_at, v_now) end
  from (
    select
      coalesce(v_settings ->> 'url', p.url) as url,
      case when v_settings ? 'name' then app.clean_text(v_settings ->> 'name') else p.name end as name,
      case when v_settings ? 'actions' then webhook.chosen_actions(v_settings -> 'actions') else p.actions end as actions,
      coalesce(v_settings ->> 'include', p.include) as include,
      coalesce(v_settings ->> 'state', p.state) as state
    from webhook.endpoint as p
    where p.organization_id = v_organization_id and p.id = change_endpoint.endpoint_id
  ) as n
  where
    p.organization_id = v_organization_id and p.id = change_endpoint.endpoint_id
    -- A change of nothing writes nothing.
    and (p.url, p.name, p.actions, p.include, p.state) is distinct from (n.url, n.name, n.actions, n.include, n.state);
end $$;

comment on function webhook.change_endpoint(uuid, uuid, jsonb) is
$$Changes a webhook, which the caller has locked.

settings: a JSON object (api.webhook_input). A setting that is left out stays; null removes the name, and chooses all actions.
skip_missed: what has not been delivered yet is skipped, and the webhook continues with the events from now on. Raises PT422
validation_failed.$$;

grant execute on function webhook.change_endpoint(uuid, uuid, jsonb) to leads_exec, leads_jobs;
