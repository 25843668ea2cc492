begin;
select plan(10);

-- A year without a partition, as the year before the present one in January.
select act_as('migrator');
select is(admin.load_history(organization('alice'), '{
  "models": [{"version": 1, "state": "active", "activated_at": "2019-12-30T00:00:00Z", "document": {"base": 0.4, "rules": [
    {"name": "hail", "signal": "hail", "label": "hail", "weight": 0.2}
  ]}}],
  "connection": {"vendor": "jobnimbus", "account": "demo", "settings": {}, "created_at": "2019-12-30T00:00:00Z"},
  "leads": [
    {"id": "016f0000-0000-7000-8000-000000000001", "email": "ada@example.com", "created_at": "2019-12-31T10:00:00Z"},
    {"id": "016f0000-0000-7000-8000-000000000002", "email": "bea@example.com", "created_at": "2020-01-02T10:00:00Z"}
  ],
  "stages": [
    {"lead_id": "016f0000-0000-7000-8000-000000000001", "stage": "qualified", "at": "2020-01-01T10:00:00Z"},
    {"lead_id": "016f0000-0000-7000-8000-000000000001", "stage": "won", "at": "2020-01-03T10:00:00Z"}
  ],
  "signals": [{
    "id": "016f0000-0000-7000-8000-000000000003", "lead_id": "016f0000-0000-7000-8000-000000000001", "type": "hail",
    "value": true, "observed_at": "2019-12-31T11:00:00Z", "created_at": "2019-12-31T11:00:01Z"
  }],
  "scores": [
    {"lead_id": "016f0000-0000-7000-8000-000000000001", "version": 1, "at": "2019-12-31T10:30:00Z"},
    {"lead_id": "016f0000-0000-7000-8000-000000000001", "version": 1, "at": "2019-12-31T12:00:00Z"}
  ],
  "pushes": [{
    "id": "016f0000-0000-7000-8000-000000000004", "lead_id": "016f0000-0000-7000-8000-000000000001", "status": "ok",
    "attempts": 2, "requested_at": "2020-01-01T10:00:00.020Z", "ended_at": "2020-01-01T10:00:05Z"
  }]
}'), 2, 'it returns the number of leads');

select act_as('dba');
select results_eq(
  $$
    select
      l.pipeline_stage, l.lead_score, l.qualification_completed_at, l.created_at, l.updated_at,
      l.item = row_to_json(app.lead_item(row(l.*)::app.lead_values))::text
    from app.lead as l
    where l.organization_id = organization('alice')
    order by l.created_at
  $$,
  $$
    values
      ('won', 60, '2020-01-01 10:00Z'::timestamptz, '2019-12-31 10:00Z'::timestamptz, '2020-01-03 10:00Z'::timestamptz, true),
      ('new', 0, null, '2020-01-02 10:00Z', '2020-01-02 10:00Z', true)
  $$,
  'the leads are as their history left them'
);
select results_eq(
  $$
    select e.action, e.created_at, e.stage_left collate "default", e.stage_entered collate "default"
    from audit.event as e
    where e.organization_id = organization('alice') and e.created_at < '2021-01-01Z'
    order by e.id
  $$,
  $$
    values
      ('crm_connection.created', '2019-12-30 00:00Z'::timestamptz, null, null),
      ('scoring_model.created', '2019-12-30 00:00Z', null, null),
      ('lead.created', '2019-12-31 10:00Z', null, 'new'),
      ('lead.scored', '2019-12-31 10:30Z', null, null),
      ('signal.created', '2019-12-31 11:00:01Z', null, null),
      ('lead.scored', '2019-12-31 12:00Z', null, null),
      ('lead.updated', '2020-01-01 10:00Z', 'new', 'qualified'),
      ('lead.crm_push_requested', '2020-01-01 10:00:00.020Z', null, null),
      ('lead.crm_pushed', '2020-01-01 10:00:05Z', null, null),
      ('lead.created', '2020-01-02 10:00Z', null, 'new'),
      ('lead.updated', '2020-01-03 10:00Z', 'qualified', 'won')
  $$,
  'the log has an event for each change, with its time'
);
select results_eq(
  $$
    select s.lead_score, s.created_at, json_array_length(s.contributions)
    from scoring.score as s where s.organization_id = organization('alice') order by s.created_at
  $$,
  $$values (40, '2019-12-31 10:30Z'::timestamptz, 0), (60, '2019-12-31 12:00Z', 1)$$,
  'the model computed each score from the signals until its time'
);
select results_eq(
  $$
    select s.status, s.external_id, s.last_synced_at, (select count(*) from crm.attempt as a where a.sync_id = s.id)
    from crm.sync as s where s.organization_id = organization('alice')
  $$,
  $$values ('ok', 'simulated_016f0000-0000-7000-8000-000000000004', '2020-01-01 10:00:05Z'::timestamptz, 2::bigint)$$,
  'the push has ended'
);
select is_empty(
  $$select t.tgrelid::regclass, t.tgname from pg_trigger as t where t.tgenabled = 'D'$$, 'every trigger is enabled again'
);

-- What follows is recorded as usual.
select act_as('operator');
select is((select sum(s.sealed) > 11 from admin.seal_events() as s), true, 'the events get seals');
select results_eq(
  $$select v.holds, v.verified_to > 11 from admin.verify_chain(organization('alice')) as v$$, $$values (true, true)$$, 'the chain holds'
);
select act_as('alice');
select api.update_lead('016f0000-0000-7000-8000-000000000002', '{"pipeline_stage": "lost"}', null);
select act_as('dba');
select is(
  (select count(*) from audit.event as e where e.lead_id = '016f0000-0000-7000-8000-000000000002'),
  2::bigint, 'a change after the history is recorded'
);
select is(
  (select l.revision from app.lead as l where l.id = '016f0000-0000-7000-8000-000000000002'), 2, 'and stamped'
);

select * from finish();
rollback;
