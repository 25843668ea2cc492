begin;
select plan(2);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select make_analyst('ana');
select act_as('ana');
select results_eq(
  'select h.stage collate "default", h.left_at is null from bi.stage_history as h', $$values ('new', true)$$, 'there it stands'
);
select act_as('dba');
delete from app.lead where email = 'ada@example.com';

select act_as('ana');
select results_eq(
  'select h.stage collate "default", h.left_at is null, h.next_stage collate "default" from bi.stage_history as h',
  $$values ('new', false, null::text)$$,
  'it has left, and for no other'
);

select * from finish();
rollback;
