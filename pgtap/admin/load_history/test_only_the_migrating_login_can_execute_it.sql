begin;
select plan(4);

select make_analyst('ana');
select act_as('alice', 'admin');
select throws_ok($$select admin.load_history(organization('alice'), '{}')$$, '42501', null, 'the API server''s login can''t execute it');
select act_as('operator');
select throws_ok($$select admin.load_history(organization('alice'), '{}')$$, '42501', null, 'the operator can''t execute it');
select act_as('dba');
set local session authorization leads_worker;
select throws_ok($$select admin.load_history(organization('alice'), '{}')$$, '42501', null, 'the worker can''t execute it');
select act_as('ana');
select throws_ok($$select admin.load_history(organization('alice'), '{}')$$, '42501', null, 'an analyst can''t execute it');

select * from finish();
rollback;
