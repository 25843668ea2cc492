begin;
select plan(4);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select make_analyst('ana');
select act_as('ana');
-- An analyst's session starts in read-only mode, which the analyst can end. This session isn't in read-only mode.
select throws_ok($$update bi.leads set name = 'Eve'$$, '42501', null, 'update');
select throws_ok('delete from bi.leads', '42501', null, 'delete');
select throws_ok(
  $$insert into bi.leads (id, organization_id) values (gen_random_uuid(), organization('alice'))$$, '42501', null, 'insert'
);
select throws_ok('select from bi.leads for update', '42501', null, 'rows can''t be locked');

select * from finish();
rollback;
