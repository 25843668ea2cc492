-- app.store_sent_leads - creates leads, or skips, refuses or changes those that exist.
set local role leads_owner;

create or replace function app.store_sent_leads(
  organization_id uuid,
  sent app.sent_lead[],
  match text,
  on_duplicate text
)
returns table ("position" integer, status text, lead_id uuid, faults json)
language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := store_sent_leads.organization_id;
  v_match text := store_sent_leads.match;
  v_new app.sent_lead[];
  v_known app.sent_lead[];
  v_known_ids uuid[];
  v_is_ambiguous boolean[];
begin
  select
    array_agg(row(s.position, s.fields, s.lead, s.is_plain, s.key, s.created_at, s.faults)::app.sent_lead order by s.position)
      filter (where k.ids is null),
    array_agg(row(s.position, s.fields, s.lead, s.is_plain, s.key, s.created_at, s.faults)::app.sent_lead order by s.position)
      filter (where k.ids is not null),
    array_agg(k.ids[1] order by s.position) filter (where k.ids is not null),
    array_agg(cardinality(k.ids) > 1 order by s.position) filter (where k.ids is not null)
  into v_new, v_known, v_known_ids, v_is_ambiguous
  from unnest(store_sent_leads.sent) as s
  cross join lateral (
    select array_agg(f.id) as ids
    from (
      select l.id
      from app.lead as l
      where v_match = 'reference' and l.organization_id = v_organization_id and l.reference = s.key
      union all
      (
        select l.id
        from app.lead as l
        where v_match = 'email' and l.organization_id = v_organization_id and l.email_key = s.key
        order by l.created_at desc, l.id desc
        limit 2
      )
      union all
      (
        select l.id
        from app.lead as l
        where v_match = 'phone' and l.organization_id = v_organization_id and l.phone_key = s.key
        order by l.created_at desc, l.id desc
        limit 2
      )
    ) as f
    where s.key is not null
  ) as k;

  if v_new is not null then
    return query
    select
      c.position,
      case when c.faults is not null then 'failed' when c.lead_id is not null then 'created' end,
      c.lead_id,
      c.faults
    from app.create_leads(v_organization_id, v_new) as c;
  end if;

  if v_known is null then
    return;
  elsif store_sent_leads.on_duplicate = 'skip' then
    return query
    select s.position, 'skipped', s.id, null::json
    from unnest(v_known, v_known_ids) as s ("position", fields, lead, is_plain, key, created_at, faults, id);
  elsif store_sent_leads.on_duplicate = 'error' then
    return query
    select s.position, 'failed', s.id, json_build_array(json_build_object(
      'field', v_match, 'code', 'duplicate',
      'detail', 'A lead has this ' || v_match || '. Leave the row out, or send on_duplicate=skip or update.'
    ))
    from unnest(v_known, v_known_ids) as s ("position", fields, lead, is_plain, key, created_at, faults, id);
  else
    return query
    select s.position, 'failed', null::uuid, json_build_array(json_build_object(
      'field', v_match, 'code', 'ambiguous',
      'detail', 'Several leads have this ' || v_match || '. Change one of them with PATCH /leads/{id}.'
    ))
    from unnest(v_known, v_is_ambiguous)
      as s ("position", fields, lead, is_plain, key, created_at, faults, is_ambiguous)
    where s.is_ambiguous;
    return query
    with known as (
      select
        array_agg(row(s.position, s.fields, s.lead, s.is_plain, s.key, s.created_at, s.faults)::app.sent_lead) as sent,
        array_agg(s.id) as ids
      from unnest(v_known, v_known_ids, v_is_ambiguous)
        as s ("position", fields, lead, is_plain, key, created_at, faults, id, is_ambiguous)
      where not s.is_ambiguous
    )
    select
      m.position,
      case when m.faults is null then 'updated' else 'failed' end,
      case when m.faults is null then m.lead_id end,
      m.faults
    from known as k
    cross join lateral app.merge_leads(v_organization_id, k.sent, k.ids) as m
    where k.ids is not null;
  end if;
end $$;

comment on function app.store_sent_leads(uuid, app.sent_lead[], text, text) is
$$Stores rows of an upload, and returns what happened to each: created, updated, skipped, or failed with its faults.

sent: rows without faults; no two have the same key or the same reference. match: reference, email or phone: the field of the
keys. on_duplicate: error, skip or update. The status is null, or the row is missing, if a concurrent request has just created or deleted
the lead: then store the row again.$$;

grant execute on function app.store_sent_leads(uuid, app.sent_lead[], text, text) to leads_exec, leads_jobs;
