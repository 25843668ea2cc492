-- app.store_leads - stores the rows of an upload or an import.
set local role leads_owner;

create or replace function app.store_leads(
  organization_id uuid,
  rows text[],
  is_csv boolean,
  match text,
  on_duplicate text,
  push boolean,
  has_created_at boolean default false
)
returns table ("position" integer, status text, lead_id uuid, faults json)
language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := store_leads.organization_id;
  v_sent app.sent_lead[];
  v_first app.sent_lead[];
  v_later integer[];
  v_position integer;
  v_tries integer;
  v_result record;
begin
  perform crm.hold_pushes(v_organization_id, not store_leads.push);
  if store_leads.is_csv then
    perform app.raise_faults(422, 'validation_failed', (
      select app.csv_faults(r."row", store_leads.has_created_at)
      from unnest(store_leads.rows) as r ("row")
      where left(r."row", 1) <> '['
      limit 1
    ));
  end if;
  v_sent := array(
    select app.sent_lead(
      v_organization_id, r.position::integer, r."row", store_leads.is_csv, store_leads.match, store_leads.has_created_at,
      store_leads.on_duplicate <> 'update'
    )
    from unnest(store_leads.rows) with ordinality as r ("row", "position")
    order by r.position
  );
  if store_leads.on_duplicate = 'update' then
    -- Each change of a lead in one transaction costs more than the one before.
    v_sent := array(
      select row(
        s.position, s.fields, s.lead, s.is_plain, s.key, s.created_at,
        case
          when s.faults is null and s.key is not null and row_number() over (partition by s.key order by s.position) > 100
          then json_build_array(json_build_object(
            'field', store_leads.match, 'code', 'too_many',
            'detail', 'An upload can have at most 100 rows with the same ' || store_leads.match || '. Send the others later.'
          ))
          else s.faults
        end
      )::app.sent_lead
      from unnest(v_sent) as s
      order by s.position
    );
  end if;
  return query
  select s.position, 'failed', null::uuid, s.faults from unnest(v_sent) as s where s.faults is not null;

  -- The first row with a key is stored with the others, in a few statements. The later ones are stored one by one, because
  -- each must find what the earlier ones have done.
  select
    array_agg(
      row(s.position, s.fields, s.lead, s.is_plain, s.key, s.created_at, s.faults)::app.sent_lead order by s.position
    ) filter (where s.is_first),
    array_agg(s.position) filter (where not s.is_first)
  into v_first, v_later
  from (
    select
      s.*,
      (s.key is null or row_number() over (partition by s.key order by s.position) = 1)
      and ((s.lead).reference is null or row_number() over (partition by (s.lead).reference order by s.position) = 1)
        as is_first
    from unnest(v_sent) as s
    where s.faults is null
  ) as s;
  v_later := coalesce(v_later, '{}');
  for v_result in
    select s.position, r.status, r.lead_id, r.faults
    from unnest(v_first) as s
    left join app.store_sent_leads(v_organization_id, v_first, store_leads.match, store_leads.on_duplicate) as r
      on r.position = s.position
  loop
    if v_result.status is null then
      v_later := v_later || v_result.position;
    else
      return query select v_result.position, v_result.status, v_result.lead_id, v_result.faults;
    end if;
  end loop;

  for v_position in select p.position from unnest(v_later) as p ("position") order by p.position loop
    for v_tries in 1..10 loop
      select r.* into v_result
      from app.store_sent_leads(
        v_organization_id, array[v_sent[v_position]], store_leads.match, store_leads.on_duplicate
      ) as r;
      exit when v_result.status is not null;
    end loop;
    if v_result.status is null then
      raise serialization_failure;
    end if;
    return query select v_position, v_result.status, v_result.lead_id, v_result.faults;
  end loop;
end $$;

comment on function app.store_leads(uuid, text[], boolean, text, text, boolean, boolean) is
$$Stores rows, and returns what happened to each, in any order: created, updated, skipped, or failed with all its faults.

rows: JSON texts. is_csv: whether they are rows of CSV (app.csv_fields). match: reference, email or phone: the field by which
a row finds a lead that exists, or one of an earlier row. on_duplicate: error, skip or update, for these rows. push: whether leads in the push_stage of the
connection are pushed to the CRM. has_created_at: whether rows can have created_at. The result is the same as if the rows were
stored one after the other. Raises PT422 validation_failed if CSV has an unknown column.$$;

grant execute on function app.store_leads(uuid, text[], boolean, text, text, boolean, boolean) to leads_exec, leads_jobs;
