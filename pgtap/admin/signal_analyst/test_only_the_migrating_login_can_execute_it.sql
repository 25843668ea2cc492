begin;
select plan(2);

select make_analyst('ana');
select act_as('operator');
select throws_ok($$select admin.signal_analyst(login('ana'))$$, '42501', null, 'the operator can''t execute it');
select act_as('ana');
select throws_ok($$select admin.signal_analyst(login('ana'))$$, '42501', null, 'an analyst can''t execute it');

select * from finish();
rollback;
