begin;
select plan(2);

select act_as('alice');
select made_lead('{"email": "ada@example.com", "name": "Ada Abbott", "lead_score": 82, "pipeline_stage": "qualified"}');
select keep('lead', api.get_lead(lead('ada@example.com')));
select make_analyst('ana');

select act_as('ana');
select is(
  (select array_agg(k.key) from json_object_keys((select to_json(l) from bi.leads as l)) as k (key)),
  (
    select
      array_remove(array_remove(array_remove(
        array_agg(k.key), 'qualification_completed_at'), 'created_at'), 'updated_at')
      || array[
        'created_at', 'updated_at', 'qualification_completed_at', 'phone', 'phone_e164', 'reference', 'details',
        'won_at', 'lost_at', 'first_contacted_at'
      ]
    from json_object_keys((kept('lead')).body::json) as k (key)
  ),
  'the same fields in the same order, except that created_at is the first timestamp; then those of /details and the times of stages'
);
select results_eq(
  $$select l.id::text, l.email, l.name, l.lead_score, l.pipeline_stage, l.qualification_completed_at from bi.leads as l$$,
  $$
    values (
      (kept('lead')).body::json ->> 'id', 'ada@example.com', 'Ada Abbott', 82, 'qualified',
      ((kept('lead')).body::json ->> 'qualification_completed_at')::timestamptz(3)
    )
  $$,
  'the same values'
);

select * from finish();
rollback;
