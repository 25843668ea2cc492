begin;
select plan(1);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select keep('patch', api.update_lead(lead('ada@example.com'), '{"lead_score": 82}'));
select count_stages();
select make_analyst('ana');

select act_as('ana');
select results_eq(
  'select h.stage collate "default", h.left_at from bi.stage_history as h', $$values ('new', null::timestamptz(3))$$, 'one stay that hasn''t ended'
);

select * from finish();
rollback;
