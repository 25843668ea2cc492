begin;
select plan(5);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select act_as('bob');
select made_lead('{"email": "bea@example.com"}');
select make_analyst('ana');
select make_analyst('ben');

select act_as('ana');
select results_eq('select l.email from bi.leads as l', array['ada@example.com'], 'ana sees alice''s leads');
select is_empty(
  $$select from bi.leads as l where l.organization_id = organization('bob')$$, 'ana can''t select bob''s organization'
);
select is_empty($$select from bi.leads as l where l.id = lead('bea@example.com')$$, 'ana can''t select bob''s lead by its id');
select throws_ok('select from app.lead where score_id is null', '42501', null, 'ana can''t read other columns of the table');
select act_as('ben');
select results_eq('select l.email from bi.leads as l', array['bea@example.com'], 'ben sees bob''s leads');

select * from finish();
rollback;
