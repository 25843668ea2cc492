-- admin.load_history - gives a test organization leads with a history, for leads demo.
set local role leads_jobs;

create or replace function admin.load_history(organization_id uuid, history jsonb)
returns integer language plpgsql volatile security invoker
set search_path = pg_catalog, pg_temp
set lock_timeout = '5s'
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := load_history.organization_id;
  v_tables constant regclass[] := '{scoring.signal,scoring.model,crm.connection,crm.sync}';
  v_table regclass;
  v_count integer;
  v_turn record;
begin
  set local role leads_jobs;
  if
    (admin.organization(v_organization_id)).environment <> 'test'
    or exists (select from app.lead as l where l.organization_id = v_organization_id)
  then
    raise sqlstate 'PT409' using
      message = 'refused', hint = 'A history can be loaded into a test organization that has no leads.';
  end if;
  -- A year can be retired once.
  if exists (
    select
    from audit.retirement as r
    where r.year >= (
      select extract(year from min(l.created_at) at time zone 'UTC')
      from jsonb_to_recordset(load_history.history -> 'leads') as l (created_at timestamptz)
    )
  )
  then
    raise sqlstate 'PT409' using
      message = 'refused',
      hint = 'The history begins in a year of the audit log that was retired. Use another database, or wait until it begins later.';
  end if;
  perform audit.create_partitions(y.year)
  from generate_series(
    (
      select extract(year from min(l.created_at) at time zone 'UTC')::integer
      from jsonb_to_recordset(load_history.history -> 'leads') as l (created_at timestamptz)
    ),
    extract(year from now() at time zone 'UTC')::integer
  ) as y (year);

  -- The triggers would record each row as a change of this moment. Sessions that write these tables wait.
  set local role leads_owner;
  execute 'alter table app.lead disable trigger _900_record, disable trigger _910_push_first_stage';
  foreach v_table in array v_tables loop
    execute format('alter table %s disable trigger _900_record', v_table);
  end loop;
  set local role leads_jobs;

  insert into scoring.model (organization_id, version, state, document, created_at, activated_at)
  select v_organization_id, m.version, m.state, m.document, m.activated_at, m.activated_at
  from jsonb_to_recordset(load_history.history -> 'models') as m (
    version integer, state text, document jsonb, activated_at timestamptz
  );

  insert into app.lead (
    id, organization_id, name, company, email, source, pipeline_stage, industry, company_size, pain_points, timeline,
    budget_range, phone, details, qualification_completed_at, won_at, lost_at, first_contacted_at,
    created_at, updated_at
  )
  select
    l.id, v_organization_id, l.name, l.company, l.email, l.source, coalesce(t.stage, 'new'), l.industry,
    l.company_size, l.pain_points, l.timeline, l.budget_range, l.phone, l.details, t.qualified_at,
    case t.stage when 'won' then t.changed_at end,
    case t.stage when 'lost' then t.changed_at end,
    t.contacted_at, l.created_at,
    greatest(l.created_at, t.changed_at, c.scored_at)
  from jsonb_to_recordset(load_history.history -> 'leads') as l (
    id uuid, name text, company text, email text, source text, industry text, company_size text, pain_points text,
    timeline text, budget_range text, phone text, details jsonb, created_at timestamptz
  )
  left join (
    select
      s.lead_id,
      (array_agg(s.stage order by s.at desc))[1] as stage,
      min(s.at) filter (where s.stage = 'qualified') as qualified_at,
      min(s.at) filter (where s.stage not in ('new', 'lost')) as contacted_at,
      max(s.at) as changed_at
    from jsonb_to_recordset(load_history.history -> 'stages') as s (lead_id uuid, stage text, at timestamptz)
    group by s.lead_id
  ) as t on t.lead_id = l.id
  left join (
    select s.lead_id, max(s.at) as scored_at
    from jsonb_to_recordset(load_history.history -> 'scores') as s (lead_id uuid, at timestamptz)
    group by s.lead_id
  ) as c on c.lead_id = l.id;
  get diagnostics v_count = row_count;

  insert into scoring.signal (id, organization_id, lead_id, type, value, observed_at, created_at)
  select s.id, v_organization_id, s.lead_id, s.type, s.value, s.observed_at, s.created_at
  from jsonb_to_recordset(load_history.history -> 'signals') as s (
    id uuid, lead_id uuid, type text, value jsonb, observed_at timestamptz, created_at timestamptz
  );

  -- A score changes its lead, and _500_stamp would set the time of this moment.
  set local role leads_owner;
  execute 'alter table app.lead disable trigger _500_stamp';
  set local role leads_jobs;
  for v_turn in
    with moment as (
      select
        s.lead_id, s.version, s.at, row_number() over (partition by s.version, s.lead_id order by s.at) as turn
      from jsonb_to_recordset(load_history.history -> 'scores') as s (lead_id uuid, version integer, at timestamptz)
    )
    select o.version, array_agg(o.lead_id order by o.lead_id) as lead_ids, array_agg(o.at order by o.lead_id) as instants
    from moment as o
    group by o.version, o.turn
    order by o.version, o.turn
  loop
    insert into scoring.score (
      organization_id, lead_id, kind, lead_score, ai_reasoning, model, model_version, base, contributions, created_at
    )
    select
      v_organization_id, r.lead_id, 'scored', r.lead_score, r.ai_reasoning, 'own', m.version,
      (m.document ->> 'base')::numeric, r.contributions, i.instant
    from scoring.model as m
    cross join lateral scoring.compute_scores(
      v_organization_id, v_turn.lead_ids, v_turn.instants, m.document, false
    ) as r
    join unnest(v_turn.lead_ids, v_turn.instants) as i (lead_id, instant) on i.lead_id = r.lead_id
    where m.organization_id = v_organization_id and m.version = v_turn.version;
  end loop;

  insert into crm.connection (organization_id, vendor, account, settings, settle_seconds, created_at)
  select v_organization_id, v.name, c.account, c.settings, v.settle_seconds, c.created_at
  from jsonb_to_record(load_history.history -> 'connection') as c (
    vendor text, account text, settings jsonb, created_at timestamptz
  )
  join crm.vendor as v on v.name = c.vendor;

  insert into crm.sync (
    organization_id, id, lead_id, vendor, account, status, external_id, error_code, error, run_at, attempts, begun_at,
    email_key, last_synced_at, created_at
  )
  select
    v_organization_id, p.id, p.lead_id, c.vendor, c.account, p.status,
    case p.status when 'ok' then 'simulated_' || p.id end,
    p.error_code, p.error, p.run_at, p.attempts, p.requested_at, l.email_key,
    case p.status when 'ok' then p.ended_at end,
    p.requested_at
  from jsonb_to_recordset(load_history.history -> 'pushes') as p (
    id uuid, lead_id uuid, status text, error_code text, error text, attempts integer, requested_at timestamptz,
    ended_at timestamptz, run_at timestamptz
  )
  join crm.connection as c on c.organization_id = v_organization_id
  join app.lead as l on l.organization_id = v_organization_id and l.id = p.lead_id;

  insert into crm.attempt (organization_id, sync_id, number, connection_revision, outcome, message, created_at)
  select
    v_organization_id, s.id, n.number, 1,
    case
      when n.number < s.attempts or s.status = 'pending' then 'not_made'
      when s.status = 'ok' then 'simulated'
      else 'refused'
    end,
    case when n.number < s.attempts or s.status <> 'ok' then coalesce(s.error, 'Simulated: the CRM did not answer.') end,
    -- The intervals between the attempts grow.
    s.created_at + (coalesce(s.last_synced_at, now()) - s.created_at)
      * case s.status when 'failed' then 0 else power(n.number::float8 / s.attempts, 3) end
  from crm.sync as s
  cross join lateral generate_series(1, s.attempts) as n (number)
  where s.organization_id = v_organization_id;

  set local role leads_owner;
  execute 'alter table app.lead enable trigger _500_stamp, enable trigger _900_record, enable trigger _910_push_first_stage';
  foreach v_table in array v_tables loop
    execute format('alter table %s enable trigger _900_record', v_table);
  end loop;
  set local role leads_jobs;

  -- _500_stamp computes the item again, with the score.
  update app.lead as l set item = null where l.organization_id = v_organization_id;

  perform audit.load_events(v_organization_id, (
    with model as (
      select
        m.version, m.document, m.activated_at, lead(m.activated_at) over (order by m.version) as retired_at
      from scoring.model as m
      where m.organization_id = v_organization_id
    ),
    stage as (
      select
        s.lead_id, s.at, s.stage,
        coalesce(lag(s.stage) over lead_in_time, 'new') as stage_left,
        case when s.stage = 'qualified' and row_number() over (partition by s.lead_id, s.stage order by s.at) = 1
          then s.at end as qualified_at
      from jsonb_to_recordset(load_history.history -> 'stages') as s (lead_id uuid, stage text, at timestamptz)
      window lead_in_time as (partition by s.lead_id order by s.at)
    ),
    score as (
      select
        s.id, s.lead_id, s.created_at, s.lead_score, s.ai_reasoning,
        coalesce(lag(s.lead_score) over lead_in_time, 0) as score_before,
        lag(s.ai_reasoning) over lead_in_time as reasoning_before
      from scoring.score as s
      where s.organization_id = v_organization_id
      window lead_in_time as (partition by s.lead_id order by s.created_at, s.id)
    ),
    push as (
      select
        s.*,
        '"lead_id":"' || s.lead_id || '","sync_id":"' || s.id || '","vendor":' || to_json(s.vendor) as about
      from crm.sync as s
      where s.organization_id = v_organization_id
    ),
    -- The same members as the triggers write: audit.tg_lead__record, tg_signal__record, tg_sync__record and tg_record.
    event (at, action, lead_id, about) as (
      select
        m.activated_at, 'scoring_model.created', null::uuid,
        concat(
          '"scoring_model":', m.version,
          ',"diff":{"version":', json_build_object('from', null, 'to', m.version),
          ',"state":', json_build_object('from', null, 'to', 'active'),
          ',"document":', json_build_object('from', null, 'to', m.document),
          ',"activated_at":', json_build_object('from', null, 'to', app.utc_text(m.activated_at)), '}'
        )
      from model as m
      union all
      select
        m.retired_at, 'scoring_model.updated', null,
        concat(
          '"scoring_model":', m.version, ',"diff":{"state":', json_build_object('from', 'active', 'to', 'retired'), '}'
        )
      from model as m
      where m.retired_at is not null
      union all
      select
        c.created_at, 'crm_connection.created', null,
        concat(
          '"crm_connection_id":"', c.id, '","diff":{',
          string_agg(to_json(d.key) || ':' || json_build_object('from', null, 'to', d.value), ','), '}'
        )
      from crm.connection as c
      cross join lateral jsonb_each(jsonb_build_object(
        'vendor', c.vendor, 'account', c.account, 'state', c.state, 'push_stage', c.push_stage,
        'settings', c.settings, 'settle_seconds', c.settle_seconds
      )) as d
      where c.organization_id = v_organization_id
      group by c.created_at, c.id
      union all
      select
        l.created_at, 'lead.created', l.id,
        concat(
          '"lead_id":"', l.id, '","diff":{',
          string_agg(to_json(d.field) || ':' || json_build_object('from', null, 'to', d.value), ',' order by d.position),
          '}'
        )
      from app.lead as l
      cross join lateral (
        values
          (1, 'name', to_json(l.name)),
          (2, 'company', to_json(l.company)),
          (3, 'email', to_json(l.email)),
          (4, 'source', to_json(l.source)),
          (5, 'pipeline_stage', to_json('new'::text)),
          (6, 'lead_score', to_json(0)),
          (7, 'industry', to_json(l.industry)),
          (8, 'company_size', to_json(l.company_size)),
          (9, 'pain_points', to_json(l.pain_points)),
          (10, 'timeline', to_json(l.timeline)),
          (11, 'budget_range', to_json(l.budget_range)),
          (12, 'phone', to_json(l.phone)),
          (13, 'details', to_json(l.details))
      ) as d (position, field, value)
      where l.organization_id = v_organization_id and d.value is not null
      group by l.created_at, l.id
      union all
      select
        s.at, 'lead.updated', s.lead_id,
        concat(
          '"lead_id":"', s.lead_id, '","diff":{"pipeline_stage":', json_build_object('from', s.stage_left, 'to', s.stage),
          case when s.qualified_at is not null then
            ',"qualification_completed_at":' || json_build_object('from', null, 'to', app.utc_text(s.qualified_at)) end,
          '}'
        )
      from stage as s
      union all
      select
        s.created_at, 'signal.created', s.lead_id,
        concat(
          '"lead_id":"', s.lead_id, '","signal_id":"', s.id,
          '","diff":{"type":', json_build_object('from', null, 'to', s.type),
          ',"value":', json_build_object('from', null, 'to', s.value),
          ',"observed_at":', json_build_object('from', null, 'to', app.utc_text(s.observed_at)), '}'
        )
      from scoring.signal as s
      where s.organization_id = v_organization_id
      union all
      select
        s.created_at, 'lead.scored', s.lead_id,
        concat(
          '"lead_id":"', s.lead_id, '","score_id":"', s.id, '","diff":{',
          concat_ws(
            ',',
            case when s.score_before <> s.lead_score then
              '"lead_score":' || json_build_object('from', s.score_before, 'to', s.lead_score) end,
            case when s.reasoning_before is distinct from s.ai_reasoning then
              '"ai_reasoning":' || json_build_object('from', s.reasoning_before, 'to', s.ai_reasoning) end
          ),
          '}'
        )
      from score as s
      union all
      select
        p.created_at, 'lead.crm_push_requested', p.lead_id,
        concat(p.about, ',"external_id":null,"attempts":0')
      from push as p
      where p.status <> 'skipped'
      union all
      select
        coalesce(p.last_synced_at, p.created_at + interval '1 second'),
        case p.status when 'ok' then 'lead.crm_pushed' when 'failed' then 'lead.crm_push_failed' else 'lead.crm_push_skipped' end,
        p.lead_id,
        concat_ws(
          ',',
          p.about,
          '"external_id":' || coalesce(to_json(p.external_id)::text, 'null'),
          '"attempts":' || p.attempts,
          '"error_code":' || to_json(p.error_code),
          case when p.error_code is not null then '"error":' || coalesce(to_json(p.error)::text, 'null') end
        )
      from push as p
      where p.status in ('ok', 'failed', 'skipped')
    )
    select jsonb_agg(jsonb_build_object('at', e.at, 'action', e.action, 'lead_id', e.lead_id, 'about', e.about) order by e.at)
    from event as e
  ));
  reset role;
  return v_count;
end $$;

comment on function admin.load_history(uuid, jsonb) is
$$Inserts leads with their history: stages, signals, scores, pushes, and the events of all of them. Returns the number of leads.
Only the migrating login can execute it, and only for a test organization without leads.

history: {models, leads, stages, signals, scores, connection, pushes}, as app/cli/demo.py builds it, with times in the past. A
model computes the scores. Raises PT404 organization_not_found, PT409 refused, and violations of the tables' constraints; 42501
for any other login. While it runs, other sessions cannot write leads, signals, models and syncs.$$;
