begin;
select plan(5);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select act_as('bob');
select made_lead('{"email": "bea@example.com"}');
select make_analyst('ana');
select make_analyst('ben');

select act_as('ana');
select results_eq('select l.email from bi.leads as l', array['ada@example.com'], 'alice''s to ana');
select is_empty(
  $$select from bi.leads as l where l.organization_id = organization('bob')$$, 'none of bob''s, though she names it'
);
select is_empty($$select from bi.leads as l where l.id = lead('bea@example.com')$$, 'nor by its id');
select throws_ok('select from app.lead where score_id is null', '42501', null, 'no column that the view leaves out');
select act_as('ben');
select results_eq('select l.email from bi.leads as l', array['bea@example.com'], 'bob''s to ben');

select * from finish();
rollback;
