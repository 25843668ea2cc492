-- audit.load_events - writes events with times in the past, for leads demo.
set local role leads_audit;

create or replace function audit.load_events(organization_id uuid, events jsonb)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  -- The actor is the session's login, as in audit.write_event: only the times are those of the caller.
  v_actor text := ',"key_id":null,"role":' || to_json(session_user::text) || '}';
begin
  if not audit.is_migrating_login() then
    raise sqlstate '42501' using message = 'Only the migrating login can write events with times in the past.';
  end if;
  with event as materialized (
    select
      (
        lpad(to_hex(t.milliseconds), 12, '0')
        || '7'
        -- The events of one millisecond keep their order.
        || lpad(to_hex(row_number() over (partition by t.milliseconds order by t.position)), 3, '0')
        || substr(gen_random_uuid()::text, 20)
      )::uuid as id,
      t.action,
      t.lead_id,
      concat('{', t.about, v_actor) as payload,
      uuid_send(gen_random_uuid()) as salt
    from (
      select
        (extract(epoch from e.at) * 1000)::bigint as milliseconds, e.position, e.action, e.lead_id, e.about
      from rows from (
        jsonb_to_recordset(load_events.events) as (at timestamptz, action text, lead_id uuid, about text)
      ) with ordinality as e (at, action, lead_id, about, position)
      -- An event of the future would delay the seals of other events.
      where e.at <= clock_timestamp()
    ) as t
  ),
  written as (
    insert into audit.event (id, organization_id, action, source, lead_id, payload, salt, payload_digest, created_at)
    select
      e.id, load_events.organization_id, e.action, 'system', e.lead_id, e.payload::json, e.salt,
      sha256(e.salt || convert_to(e.payload, 'UTF8')), app.id_time(e.id)
    from event as e
  )
  insert into audit.unsealed (organization_id, event_id)
  select load_events.organization_id, e.id from event as e;
end $$;

comment on function audit.load_events(uuid, jsonb) is
$$Writes events with times in the past, which get seals as all events do. Only the migrating login can do this.

events: a JSON array of {at, action, lead_id, about}; about as in audit.write_event. The source is system, and the role is the
session's login. A year needs its partition: audit.create_partitions. Raises 42501 for any other login.$$;

grant execute on function audit.load_events(uuid, jsonb) to leads_jobs;
