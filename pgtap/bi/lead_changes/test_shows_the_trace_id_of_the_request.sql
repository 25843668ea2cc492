begin;
select plan(1);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select auth.enter(claim('alice'), 'a-request 4bf92f3577b34da6a3ce929d0e0e4736', 'write', false);
select keep('patch', api.update_lead(lead('ada@example.com'), '{"lead_score": 82}'));
select make_analyst('ana');

select act_as('ana');
select results_eq(
  $$select distinct c.action, c.correlation_id, c.trace_id from bi.lead_changes as c order by c.action$$,
  $$
    values
      ('lead.created', 'a-request', null::text),
      ('lead.updated', 'a-request', '4bf92f3577b34da6a3ce929d0e0e4736')
  $$,
  'only the change whose request had one'
);

select * from finish();
rollback;
