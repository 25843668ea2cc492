begin;
select plan(2);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select count_stages();
select make_analyst('ana');
select act_as('ana');
select results_eq(
  'select h.stage collate "default", h.left_at is null from bi.stage_history as h', $$values ('new', true)$$, 'the stay hasn''t ended'
);
select act_as('dba');
delete from app.lead where email = 'ada@example.com';
select count_stages();

select act_as('ana');
select results_eq(
  'select h.stage collate "default", h.left_at is null, h.next_stage collate "default" from bi.stage_history as h',
  $$values ('new', false, null::text)$$,
  'the stay has ended without a next stage'
);

select * from finish();
rollback;
