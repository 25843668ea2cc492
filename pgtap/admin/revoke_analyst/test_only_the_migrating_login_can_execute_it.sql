begin;
select plan(2);

select make_analyst('ana');
select make_analyst('ben');
select act_as('operator');
select throws_ok($$select admin.revoke_analyst(login('ana'))$$, '42501', null, 'the operator can''t execute it');
select act_as('ben');
select throws_ok($$select admin.revoke_analyst(login('ana'))$$, '42501', null, 'another analyst can''t execute it');

select * from finish();
rollback;
