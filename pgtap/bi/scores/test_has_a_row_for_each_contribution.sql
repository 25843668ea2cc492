begin;
select plan(7);

select act_as('alice');
select made_lead('{"email": "ada@example.com", "lead_score": 12}');
select made_lead('{"email": "gone@example.com"}');
select api.score_lead(lead('gone@example.com'));
select api.score_lead(lead('ada@example.com'));
select api.create_signals(lead('ada@example.com'), '{"signals": [{"type": "phone_validated"}, {"type": "email_bounced"}]}');
select api.score_lead(lead('ada@example.com'));
select act_as('alice', 'admin');
select api.delete_lead(lead('gone@example.com'));
select act_as('bob');
select made_lead('{"email": "bea@example.com", "lead_score": 90}');
select make_analyst('ana');
select make_analyst('ben');

select act_as('ana');
select results_eq(
  $$
    select s.kind, s.lead_score, s.model, s.model_version, s.base_points, s.position, s.rule, s.label, s.points
    from bi.scores as s
    order by s.score_id, s.position
  $$,
  $$
    values
      ('set', 12, null, null, null, 1, null, null, null),
      ('scored', 55, 'default', 1, 55, 1, null, null, null),
      ('scored', 50, 'default', 1, 55, 1, 'phone_validated', 'phone validated', 10),
      ('scored', 50, 'default', 1, 55, 2, 'email_bounced', 'email bounced', -15)
  $$,
  'a row for each contribution, and one for a score without any; none of an erased lead'
);
select is_empty(
  $$
    select s.score_id
    from bi.scores as s
    where s.kind = 'scored'
    group by s.score_id
    having max(s.base_points) + coalesce(sum(s.points), 0) <> max(s.lead_score)
  $$,
  'the points add up to the score'
);
select is(
  (select count(*) from bi.scores as s join bi.signals as g on g.id = s.signal_id and g.type = s.rule), 2::bigint,
  'signal_id is the id in bi.signals'
);
select is_empty(
  $$select from bi.scores as s where s.lead_id = lead('bea@example.com')$$, 'ana can''t select a score of bob''s lead'
);
select is((select count(*) from bi.scores as s where s.scored_at <= now() + interval '1 minute'), 4::bigint, 'times are times');
select throws_ok('select from scoring.score where ai_reasoning is null', '42501', null, 'nor other columns of the table');
select act_as('ben');
select results_eq('select s.lead_score from bi.scores as s', array[90], 'ben sees the score of bob''s lead');

select * from finish();
rollback;
