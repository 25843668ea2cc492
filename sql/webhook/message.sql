-- webhook.message - the body of a message.
set local role leads_jobs;

create or replace function webhook.message(
  organization_id uuid,
  action text,
  event_id uuid,
  at timestamptz,
  "position" bigint,
  lead_id uuid,
  payload json,
  has_values boolean
)
returns text language sql stable parallel safe
begin atomic
  select concat(
    '{"type":', to_json(message.action), ',"timestamp":', to_json(app.utc_text(message.at)), ',"data":{"id":',
    coalesce(to_json(message.event_id)::text, 'null'), ',"organization_id":"', message.organization_id, '","lead_id":',
    coalesce(to_json(message.lead_id)::text, 'null'), ',"position":', coalesce(message.position::text, 'null'),
    ',"fields":',
    coalesce(
      (
        select json_agg(f.name order by f.number)
        from json_object_keys(
          case when json_typeof(message.payload -> 'diff') = 'object' then message.payload -> 'diff' end
        ) with ordinality as f (name, number)
      )::text,
      '[]'
    ),
    case when message.has_values and message.payload is not null then ',"payload":' || message.payload end,
    '}}'
  );
end;

comment on function webhook.message(uuid, text, uuid, timestamptz, bigint, uuid, json, boolean) is
$${"type", "timestamp", "data": {"id", "organization_id", "lead_id", "position", "fields"}}; with has_values, data also has the
payload of the event.

fields: the names of the changed fields. payload: null if the event was retired: nothing is known of it but what the delivery has.$$;
