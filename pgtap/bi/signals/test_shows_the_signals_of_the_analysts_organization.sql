begin;
select plan(5);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select made_lead('{"email": "gone@example.com"}');
select api.create_signals(lead('ada@example.com'), '{"signals": [
  {"type": "page_views", "value": 4, "observed_at": "2026-03-01T10:00:00Z", "dedupe_key": "one"}, {"type": "storm_event"}
]}');
select api.create_signals(lead('gone@example.com'), '{"type": "storm_event"}');
select keep('signals', api.list_signals(lead('ada@example.com')));
select act_as('alice', 'admin');
select api.delete_lead(lead('gone@example.com'));
select act_as('bob');
select made_lead('{"email": "bea@example.com"}');
select api.create_signals(lead('bea@example.com'), '{"type": "storm_event"}');
select make_analyst('ana');
select make_analyst('ben');

select act_as('ana');
select results_eq(
  'select to_jsonb(s) - ''observed_at'' - ''created_at'' from bi.signals as s order by s.id',
  $$
    select s.signal - 'observed_at' - 'created_at'
    from jsonb_array_elements((kept('signals')).body::jsonb -> 'data') as s (signal)
    order by s.signal ->> 'id'
  $$,
  'the signals as the API shows them, without that of an erased lead'
);
select results_eq(
  $$select s.observed_at from bi.signals as s where s.type = 'page_views'$$,
  $$values ('2026-03-01 10:00Z'::timestamptz(3))$$, 'times are times'
);
select is_empty(
  $$select from bi.signals as s where s.lead_id = lead('bea@example.com')$$, 'ana can''t select a signal of bob''s lead'
);
select throws_ok('select from scoring.signal where lead_and_type is null', '42501', null, 'nor other columns of the table');
select act_as('ben');
select is((select count(*) from bi.signals), 1::bigint, 'ben sees bob''s signal');

select * from finish();
rollback;
